"""What people write around a number, and what they write that has no shape at all. By hand, in fifteen languages."""

# {x} is the identifier, with the word that names it where it is only recognised by that.
AROUND = {
    "en": ("Please update my file: {x}, thanks.", "I was charged twice, here it is again: {x}.", "Customer wrote \"{x}\" on the form.", "{x}"),
    "de": ("Bitte trag {x} in meine Akte ein.", "Für die Überweisung: {x} – danke schön!", "Der Kunde nannte am Telefon {x}.", "Nr. {x}"),
    "fr": ("Voici mes coordonnées : {x}, merci.", "L’élève a laissé {x} à l’accueil.", "Vérifiez {x} s’il vous plaît.", "n° {x}"),
    "es": ("Anote {x} en el expediente, por favor.", "¿Puede comprobar {x}? ¡Gracias!", "El señor dejó {x} en recepción.", "N.º {x}"),
    "it": ("Ecco i dati: {x}, grazie mille.", "Può controllare {x}? È urgente.", "Il cliente ha dettato {x} al telefono.", "n. {x}"),
    "nl": ("Wilt u {x} in het dossier zetten?", "De klant gaf {x} door aan de balie.", "Hierbij nogmaals {x}, alvast bedankt.", "nr. {x}"),
    "pt": ("Segue o documento: {x}, obrigado.", "Não consigo validar {x}, pode ver?", "A cliente informou {x} ontem à tarde.", "nº {x}"),
    "pl": ("Proszę wpisać {x} do akt.", "Klientka podała {x} przez telefon.", "Sprawdźcie {x}, bo system zgłasza błąd.", "nr {x}"),
    "ru": ("Запишите, пожалуйста, {x} в карточку.", "Клиент продиктовал {x} по телефону.", "Проверьте {x}, система выдаёт ошибку.", "№ {x}"),
    "zh": ("请把{x}录入档案，谢谢。", "客户在电话里报了{x}。", "系统提示错误，请核对：{x}。", "编号{x}"),
    "ja": ("{x}を登録してください。", "お客様から{x}と連絡がありました。", "エラーになります。{x}を確認してください。", "番号：{x}"),
    "hi": ("कृपया {x} को फ़ाइल में दर्ज करें।", "ग्राहक ने फ़ोन पर {x} बताया।", "{x} की जाँच कीजिए, धन्यवाद।", "क्रमांक {x}"),
    "ar": ("يرجى تسجيل {x} في الملف.", "ذكر العميل {x} عبر الهاتف.", "تحقق من {x} من فضلك.", "رقم {x}"),
    "tr": ("Lütfen {x} bilgisini dosyaya ekleyin.", "Müşteri telefonda {x} dedi.", "{x} doğru mu, kontrol eder misiniz?", "No: {x}"),
    "sv": ("Skriv in {x} i akten, tack.", "Kunden uppgav {x} på telefon.", "Kontrollera {x}, det är brådskande.", "nr {x}"),
}  # fmt: skip

# Sensitive without any shape that a pattern could know. Nobody's data: people, firms and places are invented.
FREE = {
    "health": (
        "My son was diagnosed with leukaemia in March and we need to change his school plan.",
        "Frau Albrecht nimmt seit dem zweiten Klinikaufenthalt Lithium und darf nicht Auto fahren.",
        "Mme Perrot est séropositive, ne le dites surtout pas à son employeur.",
        "La paciente de la habitación 12 sufrió un aborto la semana pasada.",
        "Il signor Conti ha ricominciato a bere dopo la disintossicazione.",
        "Mevrouw de Wit heeft borstkanker, haar collega's weten nog van niets.",
        "Pan Nowak leczy się psychiatrycznie od dwóch lat.",
        "У моей мамы деменция, и опеку оформляем на меня.",
        "张女士的乙肝检查结果是阳性，请不要告诉她的同事。",
        "佐藤さんはうつ病で休職中です。",
    ),
    "money": (
        "Her salary goes from 84 to 97 thousand in January, nobody else in the team gets a rise.",
        "Wir bieten für die Übernahme 41 Millionen, mehr gibt der Aufsichtsrat nicht her.",
        "L’entreprise ne pourra pas payer les salaires de novembre.",
        "Vamos a despedir a catorce personas del almacén el lunes.",
        "O cliente deve onze meses de aluguel e está falido.",
        "Müşterinin borcu üç milyonu geçti, banka krediyi kesecek.",
    ),
    "person": (
        "Write to Eleanor Whitcombe, 14 Larkspur Lane, she turned forty on the second of May.",
        "Jonas Reinholt wohnt im Birkenweg 7, dritter Stock, der Schlüssel liegt unter der Matte.",
        "Die Zeugin heißt Mira Solberg und arbeitet in der Bäckerei am Markt.",
        "Anders Lindqvist bor på Tallvägen 3 och är ensam hemma på onsdagar.",
        "नेहा वर्मा अपने पति से अलग हो चुकी हैं और नई जगह रहती हैं।",
        "السيدة هالة تسكن في شارع الزهور وتعمل ليلاً.",
    ),
    "secret in words": (
        "The wifi password is the dog's name with a capital and the year we moved.",
        "Log in as root, same password as last time but with two exclamation marks.",
        "The alarm code is four seven one one, don't write it down.",
        "Der Tresor geht mit Omas Geburtstag auf, rückwärts.",
        "Le code de l’entrée est le même que l’an dernier plus un.",
        "登录密码还是老样子，后面加上今年的年份。",
    ),
    "business": (
        "Nobody outside knows yet that we drop the Halden product line in spring.",
        "The board votes on Thursday about selling the Oslo plant to our competitor.",
        "Our defence in the Marlowe case rests on one e-mail that we have not disclosed.",
        "Die Charge vom Dienstag war verunreinigt, die Behörde weiß es noch nicht.",
    ),
}  # fmt: skip

# Ordinary text with numbers in it; none of it is sensitive.
PLAIN = (
    "Invoice 2026-004711 of 1 October comes to 1,249.50 EUR, payable within 30 days.",
    "Flight LH 1734 leaves at 14:05 from gate B22, seat 17A.",
    "Die Lieferung 4006381333931 (EAN) liegt im Regal 12-044-7.",
    "ISBN 978-3-16-148410-0, zweite Auflage, 412 Seiten.",
    "Tracking 1Z999AA10123456784 says it arrived in 48.8566 N, 2.3522 E.",
    "Le score est 3 à 2, la séance commence à 20 h 30.",
    "El pedido 20261001-0007 pesa 12,5 kg y cuesta 89,90.",
    "订单号 20261001000712 已发货，预计 3 天到达。",
    "The population was 8 336 817 in 2019 and 8 804 190 in 2020.",
    "Room 4.12, Thursday 14:30; dial 0 for the desk.",
    "Model year 2024, 1.5 TSI, 150 PS, 4,7 l/100 km.",
    "The password field must not be empty; a password is at least twelve characters long.",
    "Заказ 1029384756 собран, вес 2,4 кг.",
    "Your ticket number is 1029384756, keep it for reference.",
    "IPv6 2001:db8::8a2e:370:7334 and IPv4 203.0.113.42 are documentation addresses.",
)
